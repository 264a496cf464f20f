"""What travels, as pure data: messages, results, and the bytes they become."""
