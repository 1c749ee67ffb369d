def examples(l,a): return {}
def score(l,a): return {}
def start(l,a): return {}
def poll(l,a): return {}
def cancel(l,a): return {}
