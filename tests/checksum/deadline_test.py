"""A run that has to be over by a certain moment. A file of 4 TiB would take far longer than any test may.

Where something has to happen before the deadline, a slow machine gets later ones.
"""
import os

import support

ENDLESS = 1 << 42


class Deadline(support.ChecksumTest):
    def stopped(self, seconds, *options):
        done = self.checksum("--deadline", seconds, *options)
        self.assertEqual((done.code, done.err), (4, "lastly-checksum: the deadline passed before all files were hashed\n"), done.out)
        self.assert_clean(done)
        return done

    def stopped_with(self, summary, *options):
        for seconds in ("0.5", "4", "32"):
            done = self.stopped(seconds, *options)
            text = f"stopped by the deadline of {seconds} s: {summary}\n"
            if text in done.out:
                break
        self.assertIn(text, done.out)
        return done

    def test_running_and_queued_files_are_cancelled(self):
        """As many endless files as workers and more: what is queued behind them cannot be reached in time."""
        for workers in (1, 2, 8):
            for number in range(workers + 100):
                os.truncate(self.write(f"endless-{number}"), ENDLESS)
            done = self.stopped_with(f"0 hashed, 0 failed, {workers + 100} cancelled, 0 rejected",
                                     "--workers", str(workers), "--output", self.list)
            self.assertEqual(done.ledger()["cancelled"], workers + 100)
            self.assertEqual(self.read_list(), [])

    def test_what_is_done_is_in_the_list(self):
        """Two workers, one endless file: the other worker hashes everything else."""
        for number in range(3):
            self.write(f"below-{number}/file", b"x")
        os.truncate(self.write("endless"), ENDLESS)
        self.stopped_with("3 hashed, 0 failed, 1 cancelled, 0 rejected", "--workers", "2", "--output", self.list)
        self.assertEqual([line[34:] for line in self.read_list()], [f"{self.tree}/below-{number}/file" for number in range(3)])

    def test_deadline_that_has_passed_at_once(self):
        self.many_files(20)
        done = self.stopped("0.000000001")
        self.assertIn("stopped by the deadline of 1e-09 s: 0 hashed, 0 failed, 0 cancelled, 0 rejected; "
                      "1 directory not read to the end\n", done.out)
        self.assertEqual(done.ledger()["cancelled"], 1)

    def test_deadline_that_is_met(self):
        self.many_files(20)
        for seconds in ("3600", "1000000000", "60.5"):
            done = self.checksum("--deadline", seconds, "--output", self.list)
            self.assertEqual((done.code, done.err), (0, ""), done.out)
            self.assertNotIn("deadline", done.out)
            self.assert_clean(done)
            self.assertEqual(len(self.read_list()), 20)

    def test_quiet_names_the_deadline_only(self):
        os.truncate(self.write("endless"), ENDLESS)
        done = self.checksum("--deadline=.2", "--quiet")
        self.assertEqual((done.code, done.out, done.err), (4, "", "lastly-checksum: the deadline passed before all files were hashed\n"))
        self.assertEqual(os.listdir(self.temp), [])

    def test_deadline_beside_an_unreadable_file(self):
        os.chmod(self.write("bad"), 0)
        os.truncate(self.write("endless"), ENDLESS)
        bad = f"lastly-checksum: cannot read {self.tree}/bad: Permission denied\n"
        for seconds in ("0.5", "4", "32"):
            done = self.run_command(self.as_nobody(self.command("--deadline", seconds, "--workers", "2")))
            self.assertEqual(done.code, 4, done.out + done.err)
            self.assert_clean(done)
            if bad in done.err:
                break
        self.assertEqual(done.err, bad + "lastly-checksum: the deadline passed before all files were hashed\n")

    def test_deadline_together_with_the_other_stops(self):
        os.truncate(self.write("endless"), ENDLESS)
        for option in ("--abort-after", "--cancel-after"):
            self.stopped("0.2", option, "1")
