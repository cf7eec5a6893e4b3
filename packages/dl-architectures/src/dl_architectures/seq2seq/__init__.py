"""dl-seq2seq: an encoder-decoder with attention that reverses integer sequences."""
