"""What became of every record of a window, judged from outside: the topics, the commits, and who says what arrived."""
