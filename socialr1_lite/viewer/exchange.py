MAX_FILE="64mb"
def export(l,a): return {}
def import_file(l,a): return {}
