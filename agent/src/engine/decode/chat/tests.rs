//! Tests of answers that are put together.

use super::*;

/// The events in `stream`, as they are sent.
fn events(stream: &str) -> Option<Chat> {
    let events: Vec<sse::Event> = stream
        .split("\n\n")
        .filter(|block| !block.is_empty())
        .map(|block| sse::Event::parse(block.as_bytes()))
        .collect();
    of_events(&events)
}

const COMPLETION: &str = r#"data: {"id":"c","object":"chat.completion.chunk","model":"gpt-x","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

data: {"choices":[{"index":0,"delta":{"content":"Hel"}},{"index":1,"delta":{"content":"Hi"}}]}

data: {"choices":[{"index":0,"delta":{"content":"lo"}},{"index":1,"delta":{"reasoning_content":"hm"}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1","function":{"name":"weather","arguments":""}}]}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}},{"index":1,"id":"t2","function":{"name":"time","arguments":"{}"}}]}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Bern\"}"}}]}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"},{"index":1,"delta":{},"finish_reason":"stop"}]}

data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"completion_tokens_details":{"reasoning_tokens":2}}}

data: {"what":"is this"}

data: [DONE]

"#;

#[test]
fn chunks_of_completions_are_put_together() {
    let expect = "model: gpt-x\nchoice 0:\ntext:\nHello\ncall weather (t1): {\"city\":\"Bern\"}\ncall time (t2): {}\n\
                  stop: tool_calls\nchoice 1:\nreasoning:\nhm\ntext:\nHi\nstop: stop\ncompletion_tokens: 7\n\
                  completion_tokens_details.reasoning_tokens: 2\nprompt_tokens: 5\nevents that are unknown: 1\n";
    assert_eq!(events(COMPLETION).unwrap().to_string(), expect);
}

const RESPONSE: &str = r#"event: response.created
data: {"type":"response.created","response":{"model":"gpt-y","status":"in_progress","usage":null}}

event: response.output_item.added
data: {"type":"response.output_item.added","output_index":0,"item":{"type":"message","content":[]}}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","output_index":0,"delta":"think"}

event: response.output_text.delta
data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hel"}

data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"lo"}

data: {"type":"response.output_text.done","output_index":0,"text":"Hello"}

data: {"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"t1","name":"weather","arguments":""}}

data: {"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"a\""}

data: {"type":"response.function_call_arguments.delta","output_index":1,"delta":":1}"}

data: {"type":"response.function_call_arguments.done","output_index":1,"arguments":"{\"a\":1}"}

data: {"type":"response.something.new","delta":"x"}

data: {"type":"response.completed","response":{"model":"gpt-y","status":"completed","usage":{"input_tokens":3,"output_tokens":4}}}

"#;

#[test]
fn events_of_responses_are_put_together() {
    let expect = "model: gpt-y\nreasoning:\nthink\ntext:\nHello\ncall weather (t1): {\"a\":1}\nstop: completed\n\
                  input_tokens: 3\noutput_tokens: 4\nevents that are unknown: 1\n";
    assert_eq!(events(RESPONSE).unwrap().to_string(), expect);
}

const MESSAGE: &str = r#"event: message_start
data: {"type":"message_start","message":{"type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":25,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}

event: ping
data: {"type":"ping"}

data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"abc"}}

data: {"type":"content_block_stop","index":0}

data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hel"}}

data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"lo"}}

data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"weather","input":{}}}

data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}

data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}

data: {"type":"content_block_delta","index":2,"delta":{"type":"new_delta"}}

data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":15}}

data: {"type":"message_stop"}

data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}

"#;

#[test]
fn events_of_messages_are_put_together() {
    let expect = "model: claude-x\nreasoning:\nhm\ntext:\nHello\ncall weather (t1): {\"a\":1}\nstop: tool_use\n\
                  error: Overloaded\ninput_tokens: 25\noutput_tokens: 15\nevents that are unknown: 1\n";
    assert_eq!(events(MESSAGE).unwrap().to_string(), expect);
}

#[test]
fn whole_answers_say_the_same() {
    for (body, expect) in [
        (
            r#"{"object":"chat.completion","model":"m","choices":[{"message":{"content":"a","tool_calls":[{"id":"i","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"total_tokens":1}}"#,
            "model: m\ntext:\na\ncall f (i): {}\nstop: stop\ntotal_tokens: 1\n",
        ),
        (r#"{"object":"text_completion","choices":[{"text":"a","index":0}]}"#, "text:\na\n"),
        (
            r#"{"object":"response","model":"m","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[{"type":"reasoning","summary":[{"text":"hm"}]},{"type":"message","content":[{"type":"output_text","text":"a"}]},{"type":"function_call","call_id":"i","name":"f","arguments":"{}"}]}"#,
            "model: m\nreasoning:\nhm\ntext:\na\ncall f (i): {}\nstop: max_output_tokens\n",
        ),
        (
            r#"{"type":"message","model":"m","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"i","name":"f","input":{"b":1}}],"stop_reason":"end_turn","usage":{"input_tokens":1}}"#,
            "model: m\ntext:\na\ncall f (i): {\"b\":1}\nstop: end_turn\ninput_tokens: 1\n",
        ),
        (
            r#"[{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"a"}]}}],"modelVersion":"m"},{"candidates":[{"content":{"parts":[{"text":"b"},{"functionCall":{"name":"f","args":{"c":1}}}]},"finishReason":"STOP"}],"usageMetadata":{"totalTokenCount":3}}]"#,
            "model: m\nreasoning:\nhm\ntext:\nab\ncall f (): {\"c\":1}\nstop: STOP\ntotalTokenCount: 3\n",
        ),
    ] {
        assert_eq!(of_json(body.as_bytes()).unwrap().to_string(), expect, "{body}");
    }
}

#[test]
fn what_is_no_answer_is_none() {
    for body in ["", "{}", "[]", "1", "{\"type\":\"event\"}", "{\"error\":{\"message\":\"no\"}}", "{\"choices\":1}"] {
        assert_eq!(of_json(body.as_bytes()), None, "{body}");
    }
    assert_eq!(events("data: {\"a\":1}\n\ndata: hello\n\n"), None);
}

#[test]
fn what_is_put_together_is_limited() {
    let large = format!(r#"{{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#, "a".repeat(MAX_CHAT / 4));
    let event = sse::Event { data: large, ..sse::Event::default() };
    let chat = of_events(std::iter::repeat_n(&event, 9)).unwrap();
    assert_eq!((chat.choices[0].text.len(), chat.is_cut), (MAX_CHAT, true));
    let many: Vec<String> =
        (0..1000).map(|index| format!(r#"{{"index":{index},"delta":{{"content":"a"}}}}"#)).collect();
    let chat = of_json(format!(r#"{{"choices":[{}]}}"#, many.join(",")).as_bytes()).unwrap();
    assert_eq!((chat.choices.len(), chat.is_cut), (MAX_PARTS, true));
}
