"""What happens to text before an engine sees it."""
