"""The parts of an evaluation: who answers, what is kept, episodes, shortcuts, reports.

The command line is `socialr1_lite.evaluate`.
"""
