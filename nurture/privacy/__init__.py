"""What the law gives people over what is kept about them: to have it, to have it gone, and that it is not kept for ever."""
