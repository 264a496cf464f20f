"""The user's side of canvases: their classes, and how they are begun. What they unfold to is `umbel.canvas`."""
