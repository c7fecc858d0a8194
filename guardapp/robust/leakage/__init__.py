"""What a model gives away about its training data: was this example among it?"""
