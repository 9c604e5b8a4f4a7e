"""Does a mark mean what it says? Solutions of known worth in, what was held and what fell short out."""
