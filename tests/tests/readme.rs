//! What the README says is true.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tests::binaries::binary;
use tests::paths;
use tests::process::Process;

fn readme() -> String {
    fs::read_to_string(paths::repository().join("README.md")).expect("there is a README.md")
}

/// The code blocks of a language, in their order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    (text.split(&fence).skip(1))
        .filter_map(|rest| rest.split_once("```").map(|(block, _)| block.to_owned()))
        .collect()
}

#[test]
fn ci_runs_the_two_commands() {
    let ci = fs::read_to_string(paths::repository().join(".ci/run")).expect("there is a .ci/run");
    let commands = blocks(&readme(), "sh");
    assert_eq!(
        commands.len(),
        2,
        "the README has its two commands in blocks of their own"
    );
    for command in commands {
        let command = command.trim();
        assert!(ci.contains(command), ".ci/run does not call {command:?}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "protocol.md",
        "bench/NOTES.md",
        "workers/cpp/README.md",
        "workers/python/README.md",
    ]
    .map(PathBuf::from)
    .into_iter()
    .chain(guides())
    {
        let text = fs::read_to_string(paths::repository().join(&document)).expect("it is there");
        let document = document.display();
        let prose: String = text.split("```").step_by(2).collect();
        let links = (prose.split("](").skip(1))
            .filter_map(|rest| rest.split_once(')').map(|(link, _)| link))
            .filter(|link| !link.contains("://") && !link.starts_with('#'));
        for link in links {
            let path = link.split('#').next().unwrap_or(link);
            let folder = paths::repository().join(document.to_string());
            let folder = folder.parent().expect("a file is in a folder");
            assert!(folder.join(path).exists(), "{document} links to {link:?}");
        }
    }
}

fn guides() -> Vec<PathBuf> {
    let folder = paths::repository().join("docs");
    let guides: Vec<PathBuf> = fs::read_dir(folder)
        .expect("there is a folder docs")
        .map(|entry| PathBuf::from("docs").join(entry.expect("it can be listed").file_name()))
        .collect();
    assert!(!guides.is_empty());
    guides
}

#[test]
fn the_readme_leads_to_every_guide() {
    for guide in guides() {
        let link = format!("({})", guide.display());
        assert!(readme().contains(&link), "the README has no link {link}");
    }
}

#[test]
fn the_standalone_master_works_as_shown() {
    let text = readme();
    let [session] = &blocks(&text, "console")[..] else {
        panic!("the README has one session at a terminal");
    };
    let commands: Vec<&str> = (session.lines())
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    let answers: Vec<&str> = session
        .lines()
        .filter(|line| !line.starts_with('$'))
        .collect();
    assert_eq!(answers, ["HELLO"]);

    let private = tempfile::tempdir().expect("a folder for sockets");
    let folder = binary("powerhose");
    let folder = folder.parent().expect("a binary is in a folder");
    let path = std::env::var("PATH").expect("a search path");
    let script = format!("trap 'kill $(jobs -p); wait' EXIT\n{}", commands.join("\n"));
    let mut shell = Process::start(
        Command::new("bash")
            .args(["-e", "-c", &script])
            .env("PATH", format!("{}:{path}", folder.display()))
            .env("POWERHOSE_DIR", private.path()),
    );
    shell.expect("the answer", |line| (line == "HELLO").then_some(()));
    let status = shell.wait();
    let said = shell.output();
    assert!(status.success(), "{said}");
    assert!(said.contains("WORKERS"), "no table of the status in {said}");
}

#[test]
#[ignore = "builds the library and libzmq anew, which takes minutes; .ci/run runs it"]
fn the_example_works_outside_of_the_workspace() {
    let text = readme();
    let [manifest, _override] = &blocks(&text, "toml")[..] else {
        panic!("the README has a block for Cargo.toml and one for .cargo/config.toml");
    };
    let [program] = &blocks(&text, "rust")[..] else {
        panic!("the README has one example in Rust");
    };
    let root = paths::repository().display();
    let manifest = manifest.replace("path = \"", &format!("path = \"{root}/"));
    let private = tempfile::tempdir().expect("a folder for the example");
    let endpoint = format!("ipc://{}/backend.ipc", private.path().display());
    let program = program.replace("ipc:///tmp/square-example/backend.ipc", &endpoint);
    assert!(
        program.contains(&endpoint),
        "the example's endpoint has another name now"
    );

    let package = private.path().join("example");
    fs::create_dir_all(package.join("src")).expect("a folder");
    let head =
        "[package]\nname = \"example\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(package.join("Cargo.toml"), format!("{head}{manifest}")).expect("a file");
    fs::write(package.join("src/main.rs"), program).expect("a file");
    fs::copy(
        paths::repository().join("Cargo.lock"),
        package.join("Cargo.lock"),
    )
    .expect("a file");

    let target = paths::target().join("readme-example");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--target-dir"])
        .arg(&target)
        .current_dir(&package)
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the example does not build");

    let example = target.join("debug/example");
    let mut worker = Process::start(Command::new(&example).arg("worker"));
    let mut service = Process::start(&mut Command::new(&example));
    service.expect("the square of 12", |line| {
        (line == "b\"144\"").then_some(())
    });
    assert!(service.wait().success());
    worker.signal(rustix::process::Signal::TERM);
    assert!(worker.wait().success());
}
