"""What `grade watch` is made of: a desk kept warm, saves noticed, rounds compared and shown."""
