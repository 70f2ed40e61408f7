"""What all checks share: outcomes, people, waiting, and the state of the system around them."""
