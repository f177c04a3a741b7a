"""Functions of rows that make derived datasets: ours, those of installed packages, and anybody's own.

`contract` says what a function gets and gives, `checked` holds a result against it, `named` finds functions by what is
typed, and `chest` has those that come with this library.
"""
