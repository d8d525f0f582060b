"""What ours is compared to: the same trivial function, as it is deployed without us, and a bare constant."""
