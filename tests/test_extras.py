import pytest

from stable_softmax.extras import needs


def test_a_missing_library_is_named_with_the_command_that_installs_it():
    with pytest.raises(ImportError) as caught, needs("exact"):
        import no_such_library.part  # noqa: F401
    assert str(caught.value) == (
        "no_such_library is missing here: pip install 'stable-softmax[exact]'"
    )


def test_an_error_inside_an_installed_library_is_not_hidden():
    with pytest.raises(ZeroDivisionError), needs("exact"):
        raise ZeroDivisionError
