from experiments.markdown import aligned


def test_words_stand_at_the_left_and_numbers_at_the_right():
    assert aligned(
        ("stage", "a"), [("crop", "12"), ("decode", "12345")], words={0}
    ).splitlines() == [
        "| stage  |     a |",
        "|--------|------:|",
        "| crop   |    12 |",
        "| decode | 12345 |",
    ]


def test_a_table_may_have_no_rows():
    assert aligned(("a", "quality"), [], words=()) == "|    a | quality |\n|-----:|--------:|"
