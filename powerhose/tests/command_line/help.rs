/// Files in `tests/cmd` hold commands and what they print. After a change of a help text, run with `TRYCMD=overwrite` and read the diff.
#[test]
fn commands_print_what_is_written_down() {
    trycmd::TestCases::new()
        .env("COLUMNS", "100")
        .case("tests/cmd/*.trycmd");
}
