"""The parts of `benchmarks/peers.py`: one assignment in the forms of three graders, and what each costs."""
