"""CustomFit's side: the request that events become, what an answer means, and the HTTP engines that post it."""
