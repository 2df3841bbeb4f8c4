"""What servers share over Redis, and how they go on where it is not to be had."""
