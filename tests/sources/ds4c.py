"""A small DS4C: the tables of one version, with the dirt of the real ones."""

import tempfile
from datetime import date
from pathlib import Path

from tests.sources import pack

COMMIT = "fa8345981d5d523d6297bd8b2f836892bcc31fb1"
PERSON = (
    "patient_id,global_num,sex,birth_year,age,country,province,city,disease,infection_case,infection_order,infected_by,"
    "contact_number,symptom_onset_date,confirmed_date,released_date,deceased_date,state"
)
FILES = {
    "PatientInfo.csv": f"""\
{PERSON}
1000000001,2,male,1964,50s,Korea,Seoul,Gangseo-gu,,overseas inflow,1,,75,2020-01-22,2020-01-23,2020-02-05,,released
1000000013,,female, ,30,China,Seoul,Guro-gu,TRUE,Guro-gu Call Center,2,#11453,-, ,2020-03-09,,,isolated
7000000001,139,,1998,20s,Korea,Jeju,Jeju-do,,overseas inflow,,1000000001,9,,2020-02-20,,2020-03-01,deceased
""",
    "PatientRoute.csv": """\
patient_id,global_num,date,province,city,type,latitude,longitude
1000000001,2,2020-01-22,Gyeonggi-do,Gimpo-si,airport,37.6152464,126.7156325
1000000001,2,2020-01-24,Seoul,Jung-gu,hospital,37.5672412,127.0056589
""",
    "Case.csv": """\
case_id,province,city,group,infection_case,confirmed,latitude,longitude
1000002,Seoul,Guro-gu,TRUE,Guro-gu Call Center,99,37.508163,126.884387
1000036,Seoul,-,FALSE,overseas inflow,298,-,-
""",
    "Time.csv": """\
date,time,test,negative,confirmed,released,deceased
2020-03-01,16,96985,61037,3736,30,17
2020-03-02,0,109591,71580,4212,31,22
""",
    "TimeAge.csv": "date,time,age,confirmed,deceased\n2020-03-02,0,0s,32,0\n2020-03-02,0,10s,169,0\n",
    "TimeGender.csv": "date,time,sex,confirmed,deceased\n2020-03-02,0,male,1591,13\n2020-03-02,0,female,2621,9\n",
    "TimeProvince.csv": """\
date,time,province,confirmed,released,deceased
2020-01-20,16,Seoul,0,0,0
2020-01-20,16,Jeju-do,0,0,0
""",
    "Region.csv": """\
code,province,city,latitude,longitude,elementary_school_count,kindergarten_count,university_count,academy_ratio,\
elderly_population_ratio,elderly_alone_ratio,nursing_home_count
10000,Seoul,Seoul,37.566953,126.977977,607,830,48,1.44,15.38,5.8,22739
80000,Korea,Korea,37.566953,126.977977,6087,8837,340,1.56,15.67,7.2,94865
""",
    "Weather.csv": """\
code,province,date,avg_temp,min_temp,max_temp,precipitation,max_wind_speed,most_wind_direction,avg_relative_humidity
10000,Seoul,2016-01-01,1.2,-3.3,4,0,3.5,90,73
11000,Busan,2016-01-01,,1.1,10.9,0,7.4,340,52.1
""",
    "SearchTrend.csv": """\
date,cold,flu,pneumonia,coronavirus
2016-01-01,0.11663,0.0559,0.15726,0.00736
2016-01-02,0.13372,0.17135,0.20826,0.0089
""",
    "SeoulFloating.csv": """\
date,hour,birth_year,sex,province,city,fp_num
2020-01-01,0,20,female,Seoul,Dobong-gu,19140
2020-01-01,0,20,male,Seoul,Dobong-gu,19950
""",
    "Policy.csv": """\
policy_id,country,type,gov_policy,detail,start_date,end_date
1,Korea,Alert,Infectious Disease Alert Level,Level 1 (Blue),2020-01-03,2020-01-19
2,Korea,Immigration,Special Immigration Procedure,"from China, Hong Kong",2020-02-12,
""",
}


def write_unpacked(folder: Path) -> None:
    """Write the tables as the archive of Kaggle has them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")


def write_archives(folder: Path) -> None:
    """Write what GitHub serves for the commit: the tables lie in a folder of the repository."""
    with tempfile.TemporaryDirectory() as place:
        write_unpacked(Path(place) / "data")
        archive = folder / f"github.com/graceh3/skorea-covid-dashboard/archive/{COMMIT}.zip"
        pack(Path(place), archive, f"skorea-covid-dashboard-{COMMIT}/")


EXPECTED = (
    {
        "patient_id": "1000000001",
        "sex": "male",
        "birth_year": 1964,
        "age": "50s",
        "disease": None,
        "contact_number": 75,
        "symptom_onset_date": date(2020, 1, 22),
        "state": "released",
    },
    {
        "patient_id": "1000000013",
        "global_num": None,
        "birth_year": None,
        "age": "30s",
        "disease": True,
        "infected_by": "#11453",
        "contact_number": None,
    },
    {"patient_id": "7000000001", "sex": None, "province": "Jeju-do", "infected_by": "1000000001", "state": "deceased"},
)
write = write_unpacked
