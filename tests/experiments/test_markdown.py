from experiments.markdown import aligned_table


def test_columns_are_left_aligned_where_requested_and_otherwise_right_aligned():
    assert aligned_table(
        ("stage", "a"), [("crop", "12"), ("decode", "12345")], left_aligned={0}
    ).splitlines() == [
        "| stage  |     a |",
        "|--------|------:|",
        "| crop   |    12 |",
        "| decode | 12345 |",
    ]


def test_a_table_may_have_no_rows():
    table = aligned_table(("a", "quality"), [], left_aligned=())
    assert table == "|    a | quality |\n|-----:|--------:|"
