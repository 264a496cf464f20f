"""The departments of France, and which one a postal code lies in."""

REGIONS = {
    "Auvergne-Rhône-Alpes": "01 03 07 15 26 38 42 43 63 69 73 74",
    "Bourgogne-Franche-Comté": "21 25 39 58 70 71 89 90",
    "Bretagne": "22 29 35 56",
    "Centre-Val de Loire": "18 28 36 37 41 45",
    "Corse": "2A 2B",
    "Grand Est": "08 10 51 52 54 55 57 67 68 88",
    "Hauts-de-France": "02 59 60 62 80",
    "Île-de-France": "75 77 78 91 92 93 94 95",
    "Normandie": "14 27 50 61 76",
    "Nouvelle-Aquitaine": "16 17 19 23 24 33 40 47 64 79 86 87",
    "Occitanie": "09 11 12 30 31 32 34 46 48 65 66 81 82",
    "Pays de la Loire": "44 49 53 72 85",
    "Provence-Alpes-Côte d'Azur": "04 05 06 13 83 84",
    "Guadeloupe": "971",
    "Martinique": "972",
    "Guyane": "973",
    "La Réunion": "974",
    "Mayotte": "976",
}
REGION_OF = {department: region for region, departments in REGIONS.items() for department in departments.split()}


def department_of(postal_code: str) -> str:
    """The department's number, or "" if no department has such postal codes."""
    if postal_code.startswith("20"):  # Corsica's two were one: the south has 200 and 201
        found = "2A" if postal_code[2:3] in ("0", "1") else "2B"
    else:
        found = postal_code[: 3 if postal_code.startswith("97") else 2]
    return found if found in REGION_OF else ""
