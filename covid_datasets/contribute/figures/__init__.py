"""Pictures out of the PDF of an article, with their captions, as collections of published figures are made."""
