"""The report card: what one run did and found, as content, pictures, Markdown and HTML."""
