//! The `preprocess_NAME` function as Python text.

use crate::labels::rules::two::{Offsets, TwoRule};

/// The head of the function where no repository says how its heads look.
pub fn plain_signature(name: &str) -> String {
    format!("def preprocess_{name}(sources, tokenizer, has_image=False):\n")
}

/// The whole function for a rule's numbers, under a head of that text; `later` is added to both lengths of rounds after the
/// first. It uses names that the training script has: `torch`, `conversation_lib`, `tokenizer_image_token`, `IGNORE_INDEX`.
pub fn function(two: TwoRule, later: i64, signature: &str) -> String {
    let total = if two.adds_sep2_count {
        "        # pad is the closing token, so ne() does not see it\n        \
         total_len += prompt.count(conv.sep2)\n"
    } else {
        ""
    };
    let legacy = match later {
        0 => String::new(),
        later => format!(
            "            if index > 0:\n                # text behind the closing token is cut otherwise than alone\n                \
             round_len {later:+}\n                instruction_len {later:+}\n"
        )
        .replace("_len -", "_len -= ")
        .replace("_len +", "_len += "),
    };
    let offsets = |branch: Offsets| (signed(branch.round), signed(branch.instruction));
    let ((image_round, image_mask), (text_round, text_mask)) = (offsets(two.image), offsets(two.text));
    format!(
        "{signature}{HEAD}{total}{ROUNDS}        cur_len = {}\n{LOOP}            if has_image:\n                \
         round_len = len(tokenizer_image_token(text, tokenizer)){image_round}\n                \
         instruction_len = len(tokenizer_image_token(parts[0] + mark, tokenizer)){image_mask}\n            \
         else:\n                round_len = len(tokenizer(text).input_ids){text_round}\n                \
         instruction_len = len(tokenizer(parts[0] + mark).input_ids){text_mask}\n{legacy}{TAIL}",
        two.start
    )
}

fn signed(offset: i64) -> String {
    match offset {
        0 => String::new(),
        1.. => format!(" + {offset}"),
        _ => format!(" - {}", offset.unsigned_abs()),
    }
}

const HEAD: &str = r#"    """Ids and labels of conversations: answers and their closing token are supervised."""
    conv = conversation_lib.default_conversation.copy()
    speakers = {"human": conv.roles[0], "gpt": conv.roles[1]}
    prompts = []
    for number, source in enumerate(sources):
        turns = source if speakers[source[0]["from"]] == conv.roles[0] else source[1:]
        conv.messages = []
        for position, turn in enumerate(turns):
            speaker = speakers[turn["from"]]
            assert speaker == conv.roles[position % 2], str(number)
            conv.append_message(speaker, turn["value"])
        prompts.append(conv.get_prompt())

    if has_image:
        rows = [tokenizer_image_token(prompt, tokenizer, return_tensors="pt") for prompt in prompts]
        input_ids = torch.stack(rows, dim=0)
    else:
        input_ids = tokenizer(
            prompts,
            return_tensors="pt",
            padding="longest",
            max_length=tokenizer.model_max_length,
            truncation=True,
        ).input_ids
    labels = input_ids.clone()

    mark = conv.sep + conv.roles[1] + ": "
    for prompt, target in zip(prompts, labels):
        total_len = int(target.ne(tokenizer.pad_token_id).sum())
"#;

const ROUNDS: &str = "        rounds = prompt.split(conv.sep2)\n";

const LOOP: &str = r#"        target[:cur_len] = IGNORE_INDEX
        for index, text in enumerate(rounds):
            if text == "":
                break
            parts = text.split(mark)
            if len(parts) != 2:
                break
"#;

const TAIL: &str = r#"            target[cur_len : cur_len + instruction_len] = IGNORE_INDEX
            cur_len += round_len
        target[cur_len:] = IGNORE_INDEX

        if cur_len < tokenizer.model_max_length and cur_len != total_len:
            target[:] = IGNORE_INDEX
            print("WARNING: tokenization mismatch: %d vs. %d. (ignored)" % (cur_len, total_len))

    return dict(input_ids=input_ids, labels=labels)
"#;
