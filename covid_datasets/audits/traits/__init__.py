"""What can be told of a label without looking at the picture: traits, how well they predict it, and what that means."""
