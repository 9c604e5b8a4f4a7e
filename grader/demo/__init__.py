"""A small class, built on disk as real Git repositories and graded by the real pipeline.

Nothing in the engine knows that it is a demo: this package writes a course tree, a roster, marks and
repositories, and then calls the pipeline as the command line does.
"""
