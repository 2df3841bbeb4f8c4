"""Text that is spoken while it is still being written, whatever the protocol."""
