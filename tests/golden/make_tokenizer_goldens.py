#!/usr/bin/env python3
"""Makes tests/golden/tokenizers: small tokenizers, strings, and what the usual packages make of them.

    python3 -m venv VENV
    VENV/bin/pip install tokenizers==0.23.3 sentencepiece==0.2.3 tiktoken==0.14.0
    VENV/bin/python tests/golden/make_tokenizer_goldens.py tests/golden/tokenizers DATA

DATA holds llama1_2/tokenizer.model, llama3/tokenizer.model and qwen/qwen.tiktoken, which are not part
of the project. Writes

* NAME/tokenizer.json: tokenizers of the kinds that LLaMA, Qwen, Mistral, GPT-2 and Falcon have, trained on the
  few sentences below;
* strings.json: 2,000 strings of all that cutting, normalizing and byte fallback can stumble over. Only
  characters that Unicode 14 (Python 3.11) knows: the packages and PCRE2 have tables of different versions;
* goldens.json: per tokenizer the ids of all strings. `sha256` is over int32 (little-endian) count, ids...
  of all strings; `checks` has for each string the first four hex digits of the SHA-256 of its ids.

Ids are those of `encode` (special tokens stay text) and, as NAME/prompt, of `encode_prompt`; NAME/decode
hashes, in place of ids, the UTF-8 that ids decode to: of byte-level tokenizers those of `encode`, of
others those of a formula.
"""

import base64
import hashlib
import json
import random
import struct
import sys
import unicodedata
from pathlib import Path

import sentencepiece
import tiktoken
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers,
                        processors, trainers)

STRINGS = 2000
TEXT = """A tokenizer cuts a text into pieces and gives each piece a number. The model sees the numbers only.
It's easy to get nearly right: they're the same ids for nearly every text, and then one text differs.
We'll test what it does with 7, 42, 1234 and 1 000 000; with "quotes", (brackets) and e-mail@addresses.
def encode(text):\n    for piece in split(text):\n        yield from merge(piece)\n\n\nreturn ids  # done
I'd say you've seen tabs\tand\t\ttabs, WORDS IN CAPITALS, CamelCase, snake_case and don't even isn't.
Der Zug fährt über die Brücke, während es draußen regnet. Schöne Grüße aus Köln!
L'été dernier, nous avons mangé des crêpes près de la forêt. Où est la bibliothèque ?
El niño soñó con una montaña. ¿Qué hora es? ¡Qué alegría!
Сегодня хорошая погода, и мы идём гулять в парк. Τι κάνεις σήμερα; Ο ήλιος λάμπει.
今天天气很好,我们去公园散步。東京は大きな都市です。오늘은 날씨가 좋네요.
مرحبا بالعالم، كيف حالك اليوم؟ שלום עולם. नमस्ते दुनिया, आप कैसे हैं? สวัสดีชาวโลก
x = 3.14159 * r ** 2; y[i] += 0x1F; if (a != b && c <= d) { return -1; } // ok?
"""
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


# The small tokenizers

def trained(pre_tokenizer, size, alphabet=(), normalizer=None):
    """Vocabulary (id order) and merges that training on TEXT gives."""
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=list(alphabet))
    tokenizer.train_from_iterator(TEXT.splitlines(keepends=True), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return tokens, [tuple(merge) for merge in model["merges"]]


def numbered(tokens):
    return {token: i for i, token in enumerate(tokens)}


def template(bos, tokenizer):
    return processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos} $B",
                                         special_tokens=[(bos, tokenizer.token_to_id(bos))])


def split(pattern, behavior="isolated", **options):
    return pre_tokenizers.Split(pattern, behavior, **options)


def byte_level(regex=False, prefix=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)


def llama3_like():
    pre = pre_tokenizers.Sequence([split(Regex(LLAMA3)), byte_level()])
    tokens, merges = trained(pre, 560, pre_tokenizers.ByteLevel.alphabet())
    # Whole words that no merge reaches: only `ignore_merges` finds them.
    tokens += ["Ġtokenizer", "Ġcapitals", "CamelCase"]
    tokenizer = Tokenizer(models.BPE(vocab=numbered(tokens), merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    tokenizer.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=False), template("<|begin_of_text|>", tokenizer)])
    return tokenizer


def qwen2_like():
    pre = pre_tokenizers.Sequence([split(Regex(QWEN)), byte_level()])
    tokens, merges = trained(pre, 520, pre_tokenizers.ByteLevel.alphabet(), normalizers.NFC())
    tokenizer = Tokenizer(models.BPE(vocab=numbered(tokens), merges=merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False),
                          AddedToken("</tool_call>", normalized=False)])
    return tokenizer


def gpt2_like():
    pre = byte_level(regex=True)
    tokens, merges = trained(pre, 480, pre_tokenizers.ByteLevel.alphabet())
    tokens.append("<|endoftext|>")
    tokenizer = Tokenizer(models.BPE(vocab=numbered(tokens), merges=merges))
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", normalized=True)])
    return tokenizer


def digits_like():
    """Digits one by one, a space in front of every piece, some bytes without a token."""
    pre = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                   split(Regex(r"[^\w\s]+"), "contiguous"),
                                   split("e", "merged_with_previous"),
                                   byte_level(regex=True, prefix=True)])
    tokens, merges = trained(pre, 300)
    tokenizer = Tokenizer(models.BPE(vocab=numbered(tokens), merges=merges))
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def falcon_like():
    """Steps behind the byte-level one, which see the characters that write bytes."""
    pre = pre_tokenizers.Sequence([pre_tokenizers.Punctuation("contiguous"), byte_level(regex=True),
                                   pre_tokenizers.Digits(individual_digits=False),
                                   split(Regex("[0-9][0-9][0-9]"))])
    tokens, merges = trained(pre, 480, pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab=numbered(tokens), merges=merges))
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def byte_fallback_vocabulary(size):
    words = trained(pre_tokenizers.Metaspace(prepend_scheme="always"), size)
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + words[0]
    return numbered(tokens), words[1]


def llama2_like():
    vocabulary, merges = byte_fallback_vocabulary(300)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>",
                                     fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"),
                                                 normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                           decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False)
                                  for token in ("<unk>", "<s>", "</s>")])
    tokenizer.post_processor = template("<s>", tokenizer)
    return tokenizer


def mistral_like():
    vocabulary, merges = byte_fallback_vocabulary(300)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>",
                                     fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                           decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken("<s>", normalized=False),
                                  AddedToken("</s>", normalized=False, rstrip=True),
                                  AddedToken("[INST]", normalized=True, lstrip=True)])
    tokenizer.add_tokens([AddedToken("the end", normalized=True, lstrip=True, rstrip=True)])
    tokenizer.post_processor = template("<s>", tokenizer)
    return tokenizer


def unknown_like():
    """No bytes at all: what the vocabulary cannot spell is unknown, one by one."""
    words = trained(pre_tokenizers.Metaspace(prepend_scheme="always"), 260)
    tokenizer = Tokenizer(models.BPE(vocab=numbered(["<unk>"] + words[0]), merges=words[1],
                                     unk_token="<unk>", fuse_unk=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.add_special_tokens(["<unk>"])
    return tokenizer


SMALL = [llama3_like, qwen2_like, gpt2_like, digits_like, falcon_like, llama2_like, mistral_like,
         unknown_like]
MERGES_AS_STRINGS = {"qwen2_like", "llama2_like"}


def save(tokenizer, name, folder):
    document = json.loads(tokenizer.to_str())
    if name in MERGES_AS_STRINGS:
        document["model"]["merges"] = [" ".join(merge) for merge in document["model"]["merges"]]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
    return Tokenizer.from_file(str(path))


# The strings

FRAGMENTS = ["'s", "'S", "'ll", "'LL", "'ve", "'re", "'D", "'m", "'t", "'\u017f", "don't", " ", "  ",
             "   ", "\n", "\n\n", "\r\n", " \n", "\n ", "\t", "\u00a0", "\u3000", "\u180e", "\u200b",
             "\u2028", "\u0085", "\x0b", "\x1c", "\x00", "\ufeff", "\u00ad", "1", "42", "123", "1234",
             "1234567", "\u0663\u0664", "\u00bd", "\u2167", "\u2075", "e\u0301", "\u00e9", "A\u030a",
             "\u212b", "\u1112\u1161\u11ab", "\ud55c", "a\u0323\u0307", "a\u0307\u0323", "\u0344", "\u0958",
             "\u0301", "\u2126", "\u4eca\u5929", "\u6771\u4eac\u306f", "\U0001f600", "\u2581",
             "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2764\ufe0f", "\U0001f1e9\U0001f1ea",
             "<s>", "</s>", "<unk>", "<0x41>", "<|endoftext|>", "<|eot_id|>", "<|begin_of_text|>",
             "<|im_start|>", "<tool_call>", "</tool_call>", "[INST]", "the end", " the end ", "!!!", "...",
             "--", "://", "_", "the", " the", "The", " tokenizer", " capitals", "CamelCase",
             "aaaaaaaaaaaaaaaaaaaaaaaa", "\u0440\u0443\u0441", "\u0645\u0631\u062d\u0628\u0627",
             "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35"]


def known(code):
    return unicodedata.category(chr(code)) not in ("Cn", "Cs")


def random_unit(rng, words):
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(FRAGMENTS)
    if kind < 0.6:
        return rng.choice(words) + rng.choice(["", " ", " ", "."])
    if kind < 0.8:
        return "".join(chr(rng.randrange(0x20, 0x7f)) for _ in range(rng.randrange(1, 6)))
    limit = rng.choice([0x250, 0x3000, 0x10000, 0x110000])
    while True:
        code = rng.randrange(limit)
        if known(code):
            return chr(code)


def random_strings():
    rng = random.Random(2026)
    words = TEXT.split()
    strings = ["", " ", "\n", "'s", "\u0301"]
    while len(strings) < STRINGS:
        strings.append("".join(random_unit(rng, words) for _ in range(rng.randrange(1, 13))))
    return strings


# What the packages make of them

def packed(ids):
    return struct.pack(f"<{len(ids)}i", *ids)


def golden(records):
    """`records`: per string, a list of ids or the bytes of a text."""
    whole = hashlib.sha256()
    checks = ""
    for record in records:
        data = record if isinstance(record, bytes) else packed(record)
        whole.update(struct.pack("<i", len(record)) + data)
        checks += hashlib.sha256(data).hexdigest()[:4]
    return {"sha256": whole.hexdigest(), "checks": checks}


def small_goldens(name, tokenizer, strings):
    tokenizer.encode_special_tokens = True
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in strings]
    yield name, golden(ids)
    tokenizer.encode_special_tokens = False
    yield f"{name}/prompt", golden([tokenizer.encode(text, add_special_tokens=False).ids
                                    for text in strings])
    if name == "digits_like":  # spells not every byte, so what it decodes to may be no UTF-8
        return
    if name in ("llama2_like", "mistral_like", "unknown_like"):
        size = tokenizer.get_vocab_size()
        ids = [[(k * 131 + i * 37) % size for i in range(k % 12)] for k in range(STRINGS)]
    yield f"{name}/decode", golden([tokenizer.decode(row).encode() for row in ids])


def ranks_of(path):
    lines = path.read_bytes().split(b"\n")
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}


def large_goldens(data, own_model, strings):
    for name, path in (("spm_llama2", data / "llama1_2/tokenizer.model"), ("spm_wiki", own_model)):
        processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        yield name, golden([processor.encode(text) for text in strings])
    llama3 = tiktoken.Encoding("llama3", pat_str=LLAMA3, special_tokens={},
                               mergeable_ranks=ranks_of(data / "llama3/tokenizer.model"))
    yield "ranks_llama3", golden([llama3.encode_ordinary(text) for text in strings])
    qwen = tiktoken.Encoding("qwen", pat_str=QWEN, special_tokens={},
                             mergeable_ranks=ranks_of(data / "qwen/qwen.tiktoken"))
    yield "ranks_qwen", golden([qwen.encode_ordinary(unicodedata.normalize("NFC", text))
                                for text in strings])


def main():
    out, data = Path(sys.argv[1]), Path(sys.argv[2])
    strings = random_strings()
    lines = ",\n".join(json.dumps(text) for text in strings)
    (out / "strings.json").write_text(f"[\n{lines}\n]\n")
    goldens = {}
    for make in SMALL:
        name = make.__name__
        tokenizer = save(make(), name, out / name)
        goldens.update(small_goldens(name, tokenizer, strings))
    own_model = Path(__file__).parents[2] / "examples/wiki-llama-7m/tokenizer.model"
    goldens.update(large_goldens(data, own_model, strings))
    (out / "goldens.json").write_text(json.dumps(goldens, indent=1) + "\n")


if __name__ == "__main__":
    main()
