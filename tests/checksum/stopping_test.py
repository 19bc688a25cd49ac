"""Cancelling, aborting and interrupting a run."""
import os
import signal
import subprocess

import support


class Stopping(support.ChecksumTest):
    def test_cancel_after(self):
        self.many_files(2000, 1 << 20)
        done = self.checksum("--cancel-after", "20", "--output", self.list)
        self.assertEqual((done.code, done.err), (0, ""))
        ledger = self.assert_clean(done)
        self.assertGreaterEqual(done.hashed(), 20)
        self.assertGreater(ledger["cancelled"], 0)
        self.assertRegex(done.out, rf"cancelled after 20 files as asked: {done.hashed()} hashed, 0 failed, "
                                   r"\d+ cancelled, 0 rejected(; 1 directory not read to the end)?\n")
        self.assertEqual(len(self.read_list()), done.hashed())

    def test_abort_after_meets_submissions(self):
        self.many_files(3000, 1 << 16)
        for workers in ("1", "2", "8"):
            done = self.checksum("--abort-after", "100", "--workers", workers, "--output", self.list)
            self.assertEqual((done.code, done.err), (0, ""))
            ledger = self.assert_clean(done)
            self.assertEqual(ledger["rejected"], 1, "the walk goes on until a submission is rejected")
            self.assertGreaterEqual(done.hashed(), 100)
            self.assertLess(done.hashed(), 3000)
            self.assertRegex(done.out, rf"aborted after 100 files as asked: {done.hashed()} hashed, 0 failed, "
                                       r"\d+ cancelled, 1 rejected; 1 directory not read to the end\n")
            self.assertEqual(len(self.read_list()), done.hashed())

    def test_abort_and_cancel_at_once(self):
        self.many_files(50)
        for option in ("--abort-after", "--cancel-after"):
            done = self.checksum(option, "0")
            self.assertEqual((done.code, done.err), (0, ""))
            self.assert_clean(done)

    def test_asked_to_stop_later_than_there_are_files(self):
        self.many_files(5)
        for option, verb in (("--abort-after", "aborted"), ("--cancel-after", "cancelled")):
            done = self.checksum(option, "6")
            self.assertEqual((done.code, done.err), (0, ""))
            self.assertIn(f"not {verb}: the tree has fewer files than {option} 6\n", done.out)
            self.assert_clean(done)
            self.assertEqual(done.hashed(), 5)

    def test_interrupt_cleans_up_and_ends_by_the_signal(self):
        self.many_files(2, 1 << 34)
        for number in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen(self.command("--output", self.list), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       preexec_fn=lambda n=number: signal.signal(n, signal.SIG_DFL))
            support.wait_for(lambda p=process: any(self.tree + "/" in target for target in support.open_files(p.pid)))
            process.send_signal(number)
            out, err = (stream.decode() for stream in process.communicate(timeout=support.LIMIT_SECONDS))
            done = support.Finished(process.returncode, out, err)
            self.assertEqual((done.code, done.err), (-number, ""))
            self.assertIn(f"interrupted by {signal.Signals(number).name}: ", done.out)
            self.assertGreater(self.assert_clean(done)["cancelled"], 0)
            self.assertFalse(os.path.exists(self.list))

    def test_a_signal_that_comes_twice_at_once_is_one_request(self):
        """As from timeout(1), which signals the program and then its process group."""
        self.many_files(2, 1 << 42)
        for _ in range(20):
            process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
            support.wait_for(lambda p=process: any(self.tree + "/" in target for target in support.open_files(p.pid)))
            process.send_signal(signal.SIGTERM)
            support.wait_for(lambda p=process: support.has_no_pending_signal(p.pid) or p.poll() is not None)
            process.send_signal(signal.SIGTERM)
            out, err = (stream.decode() for stream in process.communicate(timeout=support.LIMIT_SECONDS))
            self.assertEqual((process.returncode, err), (-signal.SIGTERM, ""))
            self.assert_clean(support.Finished(process.returncode, out, err))
