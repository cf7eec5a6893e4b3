"""Something to click on each page: what a person would type who wants to see what the task is."""

NEXT_WORD = ("The movie was one of the", "To be or not to", "In the middle of the")
GENERATE = (
    "This film is about a man who",
    "The king said to his daughter,",
    "The city was founded in the nineteenth century",
)
CHAT = ("Hello! Who are you?", "Tell me about a film that you like.", "What happens in Romeo and Juliet?")
SENTIMENT = (
    "A warm and funny film, with actors who clearly love what they do. I would see it again tomorrow.",
    "Two hours that I will never get back. The plot makes no sense and the jokes are not funny.",
    "The first half drags, and the music is too loud, but the ending is so good that I forgave it everything.",
)
_BRIDGE = (
    "The old stone bridge was washed away by the flood of 1846. Six years later the town built a new one of iron, "
    "designed by the engineer Anna Lindqvist. It has three arches, is 84 metres long, and cost 12,000 crowns. "
    "Trams crossed it until 1961, when the line was closed; today it is open to cyclists and people on foot."
)
QUESTION = (
    ("Who designed the bridge?", _BRIDGE),
    ("Until when did trams cross the bridge?", _BRIDGE),
    (
        "What do penguins eat?",
        "Bees dance to tell each other where flowers are. The direction of the dance gives the direction to fly, seen "
        "from the sun, and its length the distance. Karl von Frisch, who read the dance first, received the Nobel "
        "Prize for it in 1973.",
    ),
)
"""The last is not answered by its text."""
SUMMARY = (
    "Bees dance to tell each other where flowers are. A bee that has found food returns to the hive and runs in a "
    "figure of eight on the comb. The direction of the run gives the direction to fly, seen from the sun, and its "
    "length gives the distance. Other bees follow the dancer in the dark and feel her movements with their antennae. "
    "Then they fly out and look for the smell that she brought home. Karl von Frisch, who read the dance first, was "
    "not believed for a long time. Many thought that the bees found the flowers by smell alone. Experiments with a "
    "robot bee, and later with radar, showed that he had been right. He received the Nobel Prize in 1973, together "
    "with Konrad Lorenz and Nikolaas Tinbergen. Today the dance is studied in other species too, and it differs "
    "between them: some dance on the top of an open nest, where they can see the sun, and others on a steep comb in "
    "a dark hollow tree.",
)
IMAGE = ("a sneaker", "the digit seven", "a car", "a dress")
