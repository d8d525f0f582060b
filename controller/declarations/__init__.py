"""What packages a script declares, and how declarations are written. Runs nothing of the script.

Scripts come from strangers: every look at one takes time in proportion to its length. May import `errors`.
"""
