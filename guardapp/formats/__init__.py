"""What people bring and take away: tables, images, datasets, checkpoints, models."""
