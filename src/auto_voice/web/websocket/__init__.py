"""The transport of WebSockets: one event loop, frames in and out, limits on both."""
