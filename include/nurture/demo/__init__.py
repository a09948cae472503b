"""Demo: invented people on reserved domains, in the files that companies have, with the truth beside them."""
