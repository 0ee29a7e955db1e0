//! Names of commands that a server, or a table, could read as another command.

use redis::Cmd;
use tenancy_redis::Refusal::{AdminCommand, BadArguments, UnknownCommand};

use crate::case::Expect::{self, Harmless, Is, Refused};
use crate::case::run_commands;
use crate::world::PREFIX_B;

fn named(name: &[u8], arguments: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(name).arg(arguments);
    command
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn only_the_names_of_commands_are_commands() {
    let foreign = format!("{PREFIX_B}k");
    let key = [&*foreign];
    let long = vec![b'G'; 1 << 20];
    let unknown: &[(&str, &[u8])] = &[
        ("a space at the end", b"GET "),
        ("a space at the start", b" GET"),
        ("a NUL at the end", b"GET\0"),
        ("a line end", b"GET\r\n"),
        ("a line end and another command", b"GET k\r\nGET"),
        ("a subcommand in the name", b"CONFIG GET"),
        ("a subcommand after a bar", b"OBJECT|ENCODING"),
        ("a subcommand after a bar, of an allowed command", b"MEMORY|USAGE"),
        ("the kelvin sign, whose lower case is k", "\u{212a}EYS".as_bytes()),
        ("the long s, whose upper case is S", "\u{17f}et".as_bytes()),
        ("full-width letters", "\u{ff27}\u{ff25}\u{ff34}".as_bytes()),
        ("no text", b"\xff\xfe"),
        ("no name", b""),
        ("a marker of the protocol", b"*2"),
        ("the word that closes an HTTP connection", b"POST"),
        ("the header that closes an HTTP connection", b"Host:"),
        ("a command of a sentinel", b"SENTINEL"),
        ("the inner name of a replica's command", b"RESTORE-ASKINGX"),
        ("a megabyte", &long),
    ];
    let mut cases: Vec<(&str, Cmd, Expect)> =
        unknown.iter().map(|(what, name)| (*what, named(name, &key), Refused(UnknownCommand))).collect();
    cases.extend([
        ("mixed case", named(b"gEt", &key), Is("nil")),
        ("an operator's command in mixed case", named(b"fLuShAlL", &[]), Refused(AdminCommand)),
        ("a subcommand in mixed case", named(b"oBjEcT", &["eNcOdInG", &foreign]), Is("nil")),
        ("a subcommand with a space", named(b"OBJECT", &["ENCODING ", &foreign]), Refused(UnknownCommand)),
        ("a subcommand with a NUL", named(b"MEMORY", &["USAGE\0", &foreign]), Refused(UnknownCommand)),
        ("a subcommand that is empty", named(b"XINFO", &["", &foreign]), Refused(UnknownCommand)),
        ("a subcommand that is a key", named(b"XGROUP", &[&foreign, "g", "0"]), Refused(UnknownCommand)),
        ("no word at all", Cmd::new(), Refused(BadArguments)),
        ("a cursor as a key", redis::cmd("DEL").cursor_arg(7).clone(), Is("0")),
        ("a cursor as a name", Cmd::new().cursor_arg(7).clone(), Harmless),
    ]);
    run_commands(&cases, None);
}
