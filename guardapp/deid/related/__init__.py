"""Several tables about the same people under one policy: each is protected, then all are attacked together."""
