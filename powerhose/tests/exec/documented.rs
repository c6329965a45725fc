use std::path::Path;

use powerhose::exec::{CallError, Program};

use crate::support::PATIENCE;

#[test]
fn the_worker_of_the_document_works() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/exec-workers.md");
    let document = std::fs::read_to_string(path).expect("the document");
    let (_, rest) = (document.split_once("```python\n")).expect("an example in Python");
    let (script, _) = rest.split_once("```").expect("its end");
    let program = Program::builder(["python3", "-c", script])
        .start(1)
        .expect("python3 runs");
    for _ in 0..2 {
        let answer = program.call(b"hello", PATIENCE).expect("an answer");
        assert_eq!(answer, "HELLO");
    }
    let failing = script.replace("job.upper()", "int(job)");
    let program = Program::builder(["python3", "-c", &failing])
        .start(1)
        .expect("python3 runs");
    match program.call(b"x", PATIENCE) {
        Err(CallError::Failed { message }) => assert!(message.starts_with(b"invalid literal")),
        other => panic!("{other:?}"),
    }
}
