"""The command line: what is refused, and how."""
import os

import support


class Options(support.ChecksumTest):
    def refused(self, message, *options):
        done = self.run_command([support.PROGRAM, *options])
        self.assertEqual(done.code, 2, done.out + done.err)
        self.assertEqual(done.err, f"lastly-checksum: {message}\nlastly-checksum: see lastly-checksum --help\n")
        self.assertEqual(done.out, "")

    def test_bad_options_are_named(self):
        at_least = "of at least 0"
        for message, options in (
                ("unknown option '--colour'; a directory of that name is given as ./--colour", ["--colour"]),
                ("unknown option '-x'; a directory of that name is given as ./-x", ["-x"]),
                ("--workers needs a number of threads after it", ["--workers"]),
                ("--workers needs a number of threads after it", ["--workers="]),
                ("--workers needs a whole number from 1 to 1024, not '0'", ["--workers", "0"]),
                ("--workers needs a whole number from 1 to 1024, not '1025'", ["--workers=1025"]),
                ("--workers needs a whole number from 1 to 1024, not '2x'", ["--workers", "2x"]),
                ("--workers needs a whole number from 1 to 1024, not '-1'", ["--workers", "-1"]),
                (f"--cancel-after needs a whole number {at_least}, not 'many'", ["--cancel-after", "many"]),
                (f"--abort-after needs a whole number {at_least}, not '1.5'", ["--abort-after=1.5"]),
                (f"--abort-after needs a whole number {at_least}, not '99999999999999999999'",
                 ["--abort-after", "99999999999999999999"]),
                ("--deadline needs a number of seconds after it", ["--deadline"]),
                *((f"--deadline needs a number of seconds above 0 and up to 1000000000, such as 2.5, not '{value}'", [f"--deadline={value}"])
                  for value in ("0", "0.0", "-1", "soon", "1s", "1,5", "1e3", "inf", "nan", "+1", " 1", "1000000001", "9" * 400)),
                ("--cancel-after and --abort-after exclude each other; give one of them",
                 ["--cancel-after", "1", "--abort-after", "1"]),
                ("--output needs the name of the file to write after it", ["--output"]),
                ("--temp needs a directory for the temporary files after it", ["--temp"]),
                ("--quiet takes no value; leave out the '=' and what follows", ["--quiet=yes"]),
                ("only one directory can be given: '/usr' or '/etc'", ["/usr", "/etc"]),
                ("the name of the directory is empty; leave it out for /usr/share", [""]),
        ):
            with self.subTest(options=options):
                self.refused(message, *options)

    def test_bad_paths_are_named(self):
        there = self.write("a")
        missing = os.path.join(self.room, "missing")
        usable = "name a directory whose files are to be hashed"
        self.refused(f"the directory {missing} cannot be used: No such file or directory; {usable}", missing)
        self.refused(f"the directory {there} is not a directory; {usable}", there)
        self.refused(f"the --temp directory {missing} cannot be used: No such file or directory; "
                     "name an existing directory with --temp", "--temp", missing, self.tree)
        self.refused(f"the --temp directory {there} is not a directory; name an existing directory with --temp",
                     f"--temp={there}", self.tree)
        self.refused(f"--output {self.tree} is a directory; name a file in it", "--output", self.tree, self.tree)
        self.refused(f"the directory of --output, {missing} cannot be used: No such file or directory; "
                     "make it or name another file", "--output", missing + "/list", self.tree)

    def test_temporary_directory_from_the_environment(self):
        self.write("a")
        missing = os.path.join(self.room, "missing")
        done = self.run_command([support.PROGRAM, self.tree], env={**os.environ, "TMPDIR": missing})
        self.assertEqual(done.code, 2)
        self.assertIn(f"the TMPDIR directory {missing} cannot be used", done.err)
        done = self.run_command([support.PROGRAM, self.tree], env={**os.environ, "TMPDIR": self.temp})
        self.assertEqual(done.code, 0)
        self.assert_clean(done)

    def test_help_and_version(self):
        done = self.run_command([support.PROGRAM, "--help"])
        self.assertEqual((done.code, done.err), (0, ""))
        for option in ("--workers", "--cancel-after", "--abort-after", "--deadline", "--output", "--print", "--temp", "--quiet", "--version"):
            self.assertIn(option, done.out)
        self.assertLessEqual(max(map(len, done.out.splitlines())), 80)
        done = self.run_command([support.PROGRAM, "--version"])
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertRegex(done.out, r"\Alastly-checksum \S+\n\Z")

    def test_directory_after_two_dashes(self):
        self.write("a")
        os.rename(self.tree, os.path.join(self.room, "-tree"))
        done = self.run_command([support.PROGRAM, "--print", "--temp", self.temp, "--", "-tree"], cwd=self.room)
        self.assertEqual((done.code, done.out), (0, f"{support.EMPTY_FILE_HASH}  -tree/a\n"))
