"""Posts and the events they cause. Owns the MongoDB database 'posts'."""
