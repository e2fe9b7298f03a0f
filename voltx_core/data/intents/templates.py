"""How people ask for each strand: wordings for training, and others that are held out.

A field in braces is filled with material: ``task`` (what a function should do), ``code``, ``bug``
(code with a mistake), ``maths`` (a question with numbers), ``search`` (a few key words). Some
requests need two strands at once.
"""

CODE_RUNNER = "CodeRunner"
CODE_DEBUGGER = "CodeDebugger"
CODE_EXPLAINER = "CodeExplainer"
MATH_ENGINE = "MathEngine"
MEMORY_RETRIEVAL = "MemoryRetrieval"
STRANDS = (CODE_RUNNER, CODE_DEBUGGER, CODE_EXPLAINER, MATH_ENGINE, MEMORY_RETRIEVAL)

Templates = dict[tuple[str, ...], tuple[str, ...]]

TRAIN: Templates = {
    (CODE_RUNNER,): (
        "{task}",
        "Write a function to {task}",
        "Write a function that solves this: {task}",
        "Implement the following in Python.\n{task}",
        "Please code this for me: {task}",
        "Create a program for this task: {task}",
        "Generate Python code. {task}",
        "I need a function. It should do this: {task}",
        "Write and run a script for this: {task}",
        "Can you program this? {task}",
        "Write a Python program that computes the answer to this: {maths}",
        "Run this code and show me the output:\n{code}",
        "Execute the following function on a few inputs:\n{code}",
        "Write code for: {search}",
        "Write another version of this function:\n{code}",
    ),
    (CODE_DEBUGGER,): (
        "Fix the bug in this code:\n{bug}",
        "This function returns the wrong result. Repair it.\n{bug}",
        "Find and correct the error:\n{bug}",
        "Why does this fail?\n{bug}",
        "Debug this:\n{bug}",
        "My code does not work:\n{bug}",
        "There is a mistake somewhere in here. Please fix it.\n{bug}",
        "The tests fail for this function. What is wrong?\n{bug}",
        "It should do this: {task}\nBut it gives wrong answers:\n{bug}",
        "I get an exception from this code, please correct it:\n{bug}",
        "Correct this buggy function:\n{bug}",
        "Is there a bug here?\n{code}",
        "My program for this task gives wrong output: {task}",
        "My solution to this gives the wrong number, help me fix the code: {maths}",
    ),
    (CODE_EXPLAINER,): (
        "Explain this code:\n{code}",
        "What does this function do?\n{code}",
        "Describe step by step what happens here:\n{code}",
        "Explain to a beginner how this works:\n{code}",
        "Summarize the following code:\n{code}",
        "Write a docstring for this function:\n{code}",
        "Can you explain the idea behind this?\n{code}",
        "Comment every line of this code:\n{code}",
        "What is the purpose of this function?\n{code}",
        "Explain how one would do this: {task}",
        "What is the complexity of this code, and why?\n{code}",
        "Explain what this piece of code is meant to do:\n{bug}",
        "Explain the concept: {search}",
        "Tell me in plain words what this returns:\n{code}",
    ),
    (MATH_ENGINE,): (
        "{maths}",
        "Solve this problem: {maths}",
        "Calculate the answer. {maths}",
        "What is the result? {maths}",
        "Compute: {maths}",
        "Answer this maths question: {maths}",
        "Work this out for me: {maths}",
        "Find the number. {maths}",
        "Here is a word problem. {maths}",
        "Do the arithmetic: {maths}",
        "Solve step by step and give the final number: {maths}",
    ),
    (MEMORY_RETRIEVAL,): (
        "{search}",
        "Find code for {search}",
        "Search for a function like this: {task}",
        "Look up an example of {search}",
        "Have we solved something like this before? {task}",
        "Find the function that does this: {task}",
        "Show me stored snippets about {search}",
        "Recall a similar solution: {task}",
        "Where did we use code like this?\n{code}",
        "Is there already a function for this? {task}",
        "Search the library for {search}",
        "Remember the last time we did this: {task}",
        "Find similar code to this:\n{code}",
        "Find an earlier problem like this one: {maths}",
    ),
    (CODE_DEBUGGER, CODE_EXPLAINER): (
        "Explain what is wrong here and fix it:\n{bug}",
        "Fix this code and explain the mistake:\n{bug}",
        "Why is this wrong? Explain, then repair it.\n{bug}",
    ),
    (CODE_RUNNER, CODE_EXPLAINER): (
        "Write a function and explain how it works: {task}",
        "Implement this and describe every step: {task}",
    ),
    (CODE_RUNNER, MATH_ENGINE): (
        "Solve this with a Python program and tell me the number: {maths}",
        "Work out the answer and write the code that checks it: {maths}",
    ),
    (CODE_EXPLAINER, MEMORY_RETRIEVAL): (
        "Find a function for this and explain it: {task}",
        "Look up code about {search} and explain how it works",
    ),
}

HELD_OUT: Templates = {
    (CODE_RUNNER,): (
        "Could you put together a routine for the following? {task}",
        "Build me something in Python: {task}",
        "Develop a small utility. Requirement: {task}",
        "Turn this specification into working code: {task}",
        "Give me an implementation. {task}",
        "Try this snippet out and print what it produces:\n{code}",
    ),
    (CODE_DEBUGGER,): (
        "Something is off with my implementation, can you sort it out?\n{bug}",
        "Spot the defect and patch it:\n{bug}",
        "This used to pass and now it is broken:\n{bug}",
        "Troubleshoot the code below.\n{bug}",
        "The output is incorrect, where did I go wrong?\n{bug}",
        "Supposed to {task}\nInstead I get nonsense:\n{bug}",
    ),
    (CODE_EXPLAINER,): (
        "Walk me through the snippet below.\n{code}",
        "I do not understand this code, what is going on?\n{code}",
        "Help me read this function:\n{code}",
        "In a sentence, what is this for?\n{code}",
        "Clarify the logic of the code below:\n{code}",
        "Document the behaviour of this:\n{code}",
    ),
    (MATH_ENGINE,): (
        "I have a riddle with numbers. {maths}",
        "How much does this come to? {maths}",
        "Homework question: {maths}",
        "Please evaluate. {maths}",
        "Give only the numeric answer: {maths}",
    ),
    (MEMORY_RETRIEVAL,): (
        "Do you know a snippet for {search}?",
        "Retrieve what we have on {search}",
        "Which of our old functions matches this? {task}",
        "Dig up a past example. {task}",
        "Any existing code for {search}?",
        "Locate something resembling this:\n{code}",
    ),
    (CODE_DEBUGGER, CODE_EXPLAINER): ("Repair this and tell me what the problem was:\n{bug}",),
    (CODE_RUNNER, CODE_EXPLAINER): ("Develop this and walk me through your code: {task}",),
    (CODE_RUNNER, MATH_ENGINE): ("Get the number, and give me a script for it too: {maths}",),
    (CODE_EXPLAINER, MEMORY_RETRIEVAL): ("Retrieve something on {search} and clarify it for me",),
}
