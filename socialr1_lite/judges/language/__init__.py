"""Reading English as the `facts` and `rules` judges need it."""
