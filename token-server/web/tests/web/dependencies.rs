use std::{env, process::Command};

/// The web tier cannot do the workers' job, because it lacks the means.
#[test]
fn the_dependency_tree_holds_no_signature_or_key_derivation_crate() {
    let tree = tree(&[]);
    let names: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(
        names.contains(&"crypto-jobs"),
        "not the tree of the web tier"
    );
    for absent in ["rsa", "dsa", "jsonwebtoken", "workers"] {
        assert!(
            !names.contains(&absent),
            "{absent} is in the web tier's tree"
        );
    }
    // PostgreSQL's driver derives keys, for its passwords; nobody else may.
    assert_eq!(users_of("hkdf"), ["sqlx-postgres"]);
}

/// The packages in the web tier's tree that depend on `package`.
fn users_of(package: &str) -> Vec<String> {
    let inverted = tree(&["--invert", package, "--depth", "1"]);
    let names = inverted.lines().skip(1);
    names
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

fn tree(more: &[&str]) -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--package", "token-server-web", "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}", "--offline"])
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs, since it runs this test");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree failed: {errors}");
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}
