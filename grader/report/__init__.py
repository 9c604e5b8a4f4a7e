"""Frozen records in, pages and tables for people out: student reports, class overview, exports.

The same input gives the same bytes: no clock, no random ids, no network, no JavaScript. Whatever a student
could have written (messages, notes, commit ids, labels) is text on the page and nothing else.

    student.render_student    one student's report, one HTML file
    overview.render_overview  the class on one page
    exports.grades_csv        the gradebook for a spreadsheet
    exports.grades_json       the gradebook and what it rests on, for programs
    exports.marksheets_json   marksheets, for `grader grade --json`
"""
