"""The contract of posts: event envelope and topics."""
