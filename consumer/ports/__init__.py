"""What the loop and the edges say to each other: inputs, the protocols of the edges, the inbox between them."""
