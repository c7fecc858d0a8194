"""Models of torch.export (`.pt2`), read without torch.export: nothing is unpickled and no text is evaluated."""
