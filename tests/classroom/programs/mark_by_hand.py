"""Enter a mark: python -m tests.classroom.programs.mark_by_hand MARKS STUDENT POINTS COMMENT."""

import sys

from nbgrader.api import Gradebook

if __name__ == "__main__":
    marks, student, points, text = sys.argv[1:]
    with Gradebook(f"sqlite:///{marks}/nbgrader/gradebook.db") as gradebook:
        notebook = gradebook.find_submission_notebook("temperature", "temperature", student)
        [grade] = [grade for grade in notebook.grades if grade.name == "temperature-q3"]
        [comment] = [c for c in notebook.comments if c.name == "temperature-q3"]
        grade.manual_score, grade.needs_manual_grade = float(points), False
        comment.manual_comment = text
        gradebook.db.commit()
