"""Which class is this image of, or which classes? `task` works without torch; `network` is what training adds."""
